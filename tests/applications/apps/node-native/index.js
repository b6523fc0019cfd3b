const http = require('http');
const ms = require('ms');
const { toKnots } = require('knots');

http.createServer((request, response) => response.end(`${toKnots(18.52)} knots, ${ms(60000)}\n`)).listen(3000);
