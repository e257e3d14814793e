@NullMarked
package io.ambo.hatests.drill;

import org.jspecify.annotations.NullMarked;
