# expect: waited, and nothing else
import asyncio
import warnings

warnings.simplefilter("ignore")
asyncio.get_event_loop().run_until_complete(asyncio.sleep(0.02))
print("waited")
