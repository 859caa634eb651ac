# expect: made
import asyncio
import warnings

warnings.simplefilter("ignore")


async def later():
    print("of another script")


asyncio.get_event_loop().create_task(later())
print("made")
