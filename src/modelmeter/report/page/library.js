// The libraries, which are loaded before as plain scripts (see vendor/).
export const { h, render, Component } = globalThis.preact;
export const { useState, useEffect, useRef, useMemo, useCallback } = globalThis.preactHooks;
export const html = globalThis.htm.bind(h);
export const { Chart } = globalThis;
