"""One request, one answer: get.py URL"""

import sys
import urllib.request

print(urllib.request.urlopen(sys.argv[1], timeout=60).read().decode(), end="")
