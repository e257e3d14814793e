@NullMarked
package io.ambo.hatests.bench;

import org.jspecify.annotations.NullMarked;
