# expect: a script of the user, which nothing imports
print("THE USER'S CALENDAR")
