# expect: installed
import urllib.request

urllib.request.install_opener(urllib.request.build_opener())
print("installed")
