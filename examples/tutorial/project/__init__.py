from liteq import LiteQ

app = LiteQ("project")
app.config_from_object("project.config")
