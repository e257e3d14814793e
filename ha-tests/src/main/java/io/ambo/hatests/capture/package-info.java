@NullMarked
package io.ambo.hatests.capture;

import org.jspecify.annotations.NullMarked;
