@NullMarked
package io.ambo.hatests;

import org.jspecify.annotations.NullMarked;
