import time

from project import app


@app.task
def show_name(name):
    print(f"hello, {name}")
    return name


@app.task
def sendmail(mail):
    print(f"sending mail to {mail['to']}...")
    time.sleep(2)
    print("mail sent.")
    return f"mail sent to {mail['to']}"


@app.task
def add(x, y):
    return x + y
