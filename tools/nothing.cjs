/** Stands for a package that is loaded with another one and never used. */
'use strict';

module.exports = {};
