@NullMarked
package io.ambo.hatests.traffic;

import org.jspecify.annotations.NullMarked;
