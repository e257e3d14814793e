@NullMarked
package io.ambo.cluster;

import org.jspecify.annotations.NullMarked;
