from project.tasks import add, sendmail, show_name

show_name.delay("liteq")

mail = sendmail.delay({"to": "celery@python.org"})
print("mail task:", mail.id, mail.state)

result = add.delay(2, 3)
print("add(2, 3) =", result.get(timeout=10))

print(mail.get(timeout=10))
print("mail task:", mail.id, mail.state)
