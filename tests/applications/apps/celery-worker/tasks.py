from pathlib import Path

from celery import Celery
from celery.signals import worker_ready
from celery.utils.log import get_task_logger

FOLDER = Path("/tmp/broker")
FOLDER.mkdir(exist_ok=True)
app = Celery("tasks", broker="filesystem://")
app.conf.broker_transport_options = {
    "data_folder_in": str(FOLDER),
    "data_folder_out": str(FOLDER),
    "control_folder": str(FOLDER / "control"),
}
log = get_task_logger(__name__)


@app.task
def add(a, b):
    log.info("the sum is %s", a + b)


@worker_ready.connect
def begin(sender, **_):
    add.delay(2, 3)
