# expect: b'out\n' 0 (asyncio watches child processes from the main thread)
import asyncio


async def call():
    child = await asyncio.create_subprocess_exec("echo", "out", stdout=asyncio.subprocess.PIPE)
    text, _ = await child.communicate()
    print(text, child.returncode)


asyncio.run(call())
