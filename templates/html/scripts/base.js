// What a page does beyond being read. Every part starts from markup that is complete without it.
"use strict";

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const base = new URL(".", document.currentScript?.src || document.baseURI); // the folder of this script
const ready = (work) => document.addEventListener("DOMContentLoaded", work);

// An element with properties (or attributes, where it has no such property) and children.
const make = (name, props = {}, ...children) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    key in element ? (element[key] = value) : element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
};

const SVG = "http://www.w3.org/2000/svg";
const draw = (name, attributes = {}, ...children) => {
  const element = document.createElementNS(SVG, name);
  Object.entries(attributes).forEach(([key, value]) => element.setAttribute(key, value));
  element.append(...children);
  return element;
};

// The words of a table's cell, without its arithmetic and footnote mark.
const words = (cell) => {
  const copy = cell.cloneNode(true);
  copy.querySelectorAll("small, sup").forEach((part) => part.remove());
  return copy.textContent.trim();
};

const numbers = (text) => (text ?? "").split(" ").filter(Boolean).map(Number);

// Data to places in the picture and back, along one axis.
const scale = (text, from, to) => {
  const [low, high, kind] = text.split(" ");
  const way = kind === "log" ? Math.log : Number;
  const back = kind === "log" ? Math.exp : Number;
  const [a, b] = [way(+low), way(+high)];
  return {
    place: (value) => from + ((way(value) - a) / (b - a)) * (to - from),
    value: (place) => back(a + ((place - from) / (to - from)) * (b - a)),
  };
};

// Intersection over union of two squares, given by row and column of their centre and by their side.
const iou = (a, b) => {
  const side = (n) => Math.max(0, Math.min(a[n] + a[2] / 2, b[n] + b[2] / 2) - Math.max(a[n] - a[2] / 2, b[n] - b[2] / 2));
  const shared = side(0) * side(1);
  return shared / (a[2] ** 2 + b[2] ** 2 - shared);
};
