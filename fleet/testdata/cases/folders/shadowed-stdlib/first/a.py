# expect: imported, and nothing of the calendar beside it
import email.utils

print("imported", email.utils.quote("x"))
