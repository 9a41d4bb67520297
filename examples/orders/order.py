"""Order something: python order.py 17 1250 ann@example.org"""

import sys

import shop

if __name__ == "__main__":
    number, amount, address = sys.argv[1:]
    shop.set_up()
    print(shop.place(int(number), int(amount), address))
