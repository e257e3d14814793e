@NullMarked
package io.ambo.cluster.resync;

import org.jspecify.annotations.NullMarked;
