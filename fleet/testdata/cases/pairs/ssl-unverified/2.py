# expect: True
import ssl

print(ssl._create_default_https_context is ssl.create_default_context)
