@NullMarked
package io.ambo.node;

import org.jspecify.annotations.NullMarked;
