export const STYLE = `
:host {
  --_accent: var(--haulier-accent, #0b5cad);
  --_on-accent: var(--haulier-on-accent, #ffffff);
  --_text: var(--haulier-text, #1c1f23);
  --_muted: var(--haulier-muted, #5a6169);
  --_track: var(--haulier-track, #d9dde2);
  --_danger: var(--haulier-danger, #a51d1d);
  --_radius: var(--haulier-radius, 8px);
  display: inline-block;
  inline-size: 20rem;
  max-inline-size: 100%;
  font: inherit;
  color: var(--_text);
}
:host([hidden]) { display: none; }
/* Dark where the page is: a page says so with color-scheme, the system alone would put light text on a light page. */
@supports (color: light-dark(red, red)) {
  :host {
    --_accent: var(--haulier-accent, light-dark(#0b5cad, #7fb8f5));
    --_on-accent: var(--haulier-on-accent, light-dark(#ffffff, #0c1a2a));
    --_text: var(--haulier-text, light-dark(#1c1f23, #eceff2));
    --_muted: var(--haulier-muted, light-dark(#5a6169, #aab2bb));
    --_track: var(--haulier-track, light-dark(#d9dde2, #3a4149));
    --_danger: var(--haulier-danger, light-dark(#a51d1d, #ff9a94));
  }
}
.row { display: flex; flex-wrap: wrap; gap: 8px; }
button {
  font: inherit;
  line-height: 1.3;
  min-block-size: 44px;
  padding: 8px 16px;
  border-radius: var(--_radius);
  border: 1px solid var(--_accent);
  cursor: pointer;
  overflow-wrap: anywhere;
}
.main { flex: 1 1 auto; background: var(--_accent); color: var(--_on-accent); font-weight: 600; }
.main[aria-disabled='true'] { background: transparent; color: var(--_muted); border-color: var(--_track); cursor: default; }
.cancel { background: transparent; color: var(--_text); border-color: var(--_muted); }
button:focus-visible { outline: 3px solid var(--_accent); outline-offset: 2px; }
.track { block-size: 8px; margin-block-start: 8px; border-radius: 4px; background: var(--_track); overflow: hidden; }
.bar { block-size: 100%; inline-size: 0; background: var(--_accent); transition: inline-size 300ms linear; }
.unknown .bar { inline-size: 30%; animation: wander 1.6s ease-in-out infinite alternate; }
@keyframes wander { from { margin-inline-start: 0; } to { margin-inline-start: 70%; } }
@media (prefers-reduced-motion: reduce) {
  .bar { transition: none; }
  .unknown .bar { animation: none; inline-size: 100%; opacity: 0.4; }
}
.status { margin: 8px 0 0; min-block-size: 1.4em; line-height: 1.4; color: var(--_muted); overflow-wrap: anywhere; }
.status.bad { color: var(--_danger); }
[hidden] { display: none !important; }
.spoken { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (forced-colors: active) { .bar { background: Highlight; } .track { border: 1px solid CanvasText; } }
`
