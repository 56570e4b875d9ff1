// What old libraries and careless scripts do to a page: enumerable additions, names of everybody's.
Object.prototype.extend = function () { throw new Error("Object.prototype.extend was called"); };
Object.prototype.language = "xx";
Object.prototype.token = "polluted";
Object.prototype.html = "<b>polluted</b>";
Array.prototype.each = function (run) { for (let at = 0; at < this.length; at += 1) run(this[at], at); };
Array.prototype.first = function () { return this[0]; };
Array.prototype.toJSON = function () { return this.slice(); };
String.prototype.blank = function () { return /^\s*$/.test(this); };
Function.prototype.curry = function () { return this; };
Element.prototype.show = function () { return this; };
Element.prototype.hide = function () { return this; };
window.$ = window.h = window.app = window.chat = window.icon = (name) => document.getElementById(name);
window.name = "host";
window.define = Object.assign((...parts) => { window.defined = parts; }, { amd: {} });
window.module = { exports: {} };
window.exports = window.module.exports;
window.require = () => { throw new Error("require was called"); };
