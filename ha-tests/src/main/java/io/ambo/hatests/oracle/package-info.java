@NullMarked
package io.ambo.hatests.oracle;

import org.jspecify.annotations.NullMarked;
