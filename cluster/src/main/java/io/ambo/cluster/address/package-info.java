/** IP addresses as two longs, and their text. */
@NullMarked
package io.ambo.cluster.address;

import org.jspecify.annotations.NullMarked;
