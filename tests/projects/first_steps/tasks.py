from celery import Celery

app = Celery('tasks', backend='rpc://', broker='sqlite:///tasks.db')

@app.task
def add(x, y):
    return x + y
