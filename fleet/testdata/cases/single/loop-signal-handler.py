# expect: signalled
import asyncio
import os
import signal


async def wait():
    signalled = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, signalled.set)
    os.kill(os.getpid(), signal.SIGUSR1)
    await asyncio.wait_for(signalled.wait(), 10)
    print("signalled")


asyncio.run(wait())
