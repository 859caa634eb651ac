# expect: 28 digits
import decimal

print(decimal.Decimal(1) / 3)
