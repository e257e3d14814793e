@NullMarked
package io.ambo.cluster.time;

import org.jspecify.annotations.NullMarked;
