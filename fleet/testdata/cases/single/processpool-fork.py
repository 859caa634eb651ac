# expect: [0, 1, 8]
import concurrent.futures
import multiprocessing


def cube(number):
    return number**3


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        print(list(pool.map(cube, range(3))))
