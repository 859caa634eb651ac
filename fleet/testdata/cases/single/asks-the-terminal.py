# expect: an error at once: nobody can answer
import getpass

print("asks", flush=True)
print(getpass.getpass("Password: "))
