// The page's scripts: what HTML, style sheets and htmx do not do by themselves.
import { startActions } from './actions.js';
import { startComposer } from './composer.js';
import { startDrawing } from './drawing.js';
import { startKeys } from './keys.js';
import { startPanel } from './panel.js';
import { startScroll } from './scroll.js';
import { startStream } from './stream.js';

startActions();
startPanel();
startScroll();
startComposer();
startDrawing();
startKeys();
startStream();
document.documentElement.dataset.ready = '';
