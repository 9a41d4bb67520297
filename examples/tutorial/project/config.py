BROKER_URL = "sqlite:///project.db"
CELERY_RESULT_BACKEND = "sqlite:///project.db"

CELERY_TASK_SERIALIZER = "pickle"
CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json", "pickle"]
CELERY_TASK_RESULT_EXPIRES = 60 * 60 * 24

CELERY_TIMEZONE = "Asia/Shanghai"
CELERY_IMPORTS = ("project.tasks",)
