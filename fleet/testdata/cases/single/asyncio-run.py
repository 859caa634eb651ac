# expect: [0, 10, 20]
import asyncio


async def ten_times(number):
    await asyncio.sleep(0.005)
    return 10 * number


async def all_of_them():
    print(await asyncio.gather(*map(ten_times, range(3))))


asyncio.run(all_of_them())
