/** Fails inside the library and shows the way there: what is published is minified, but names what it went through. */
import { Loop } from "ringwire";

try {
  new Loop({ nonsense: 1 });
} catch (error) {
  console.log(JSON.stringify({ stack: error.stack }));
}
