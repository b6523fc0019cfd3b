const express = require('express');
const path = require('path');

const app = express();
app.use('/public', express.static(path.join(__dirname, 'public')));
app.get('/', (request, response) => response.json({ title: 'shop', time: new Date(0).toLocaleString('de-AT') }));
app.listen(3000, () => console.log('listening'));
