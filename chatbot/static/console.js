/** Entry of the console: see console/main.js. */
import "./console/main.js";
