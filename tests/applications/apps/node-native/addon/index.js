module.exports = require('./build/Release/knots.node');
