# expect: two dates
import email.utils

print(email.utils.parsedate_tz("Tue, 21 Nov 1995 10:00:00 +0100"))
print(email.utils.mktime_tz((2021, 1, 1, 0, 0, 0, 0, 1, 0, 0)))
