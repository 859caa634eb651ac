# expect: [0, 1, 8]
import multiprocessing


def cube(number):
    return number**3


if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(cube, range(3)))
