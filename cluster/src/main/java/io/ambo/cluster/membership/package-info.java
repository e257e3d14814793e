@NullMarked
package io.ambo.cluster.membership;

import org.jspecify.annotations.NullMarked;
