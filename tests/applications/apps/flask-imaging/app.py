import io

import numpy
from flask import Flask, jsonify
from lxml import etree
from PIL import Image

app = Flask(__name__)


@app.route("/")
def home():
    pixels = numpy.outer(numpy.arange(16, dtype="uint8"), numpy.arange(16, dtype="uint8"))
    picture = io.BytesIO()
    Image.fromarray(pixels).save(picture, "JPEG")
    root = etree.fromstring("<a><b>1</b><b>2</b></a>")
    return jsonify(
        rank=int(numpy.linalg.matrix_rank(pixels)),
        jpeg=picture.getvalue()[:2].hex(),
        total=root.xpath("sum(//b)"),
    )
