// The button "Start again" of a failed job, wherever it stands.

import { askBy } from "./ask-for.js";

askBy("again", "It is started again.");
