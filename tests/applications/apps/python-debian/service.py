import yaml
from flask import Flask

app = Flask(__name__)


@app.route("/")
def home():
    with open("/etc/service.yml") as settings:
        return yaml.load(settings, Loader=yaml.CSafeLoader)["greeting"]


app.run(host="0.0.0.0", port=5000)
