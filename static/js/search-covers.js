// The button that searches for covers of a song, wherever it stands.

import { askBy } from "./ask-for.js";

askBy("search", "The search is asked for.");
