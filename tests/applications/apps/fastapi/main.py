import getpass
import tempfile

from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Item(BaseModel):
    number: int
    name: str


@app.get("/")
def home() -> dict[str, str]:
    return {"status": "afloat"}


@app.get("/items/{number}")
def item(number: int) -> Item:
    return Item(number=number, name=f"item {number}")


@app.get("/scratch-file")
def scratch_file() -> dict[str, str]:
    with tempfile.NamedTemporaryFile() as file:
        return {"directory": file.name.rpartition("/")[0], "has a name": str(bool(getpass.getuser()))}
