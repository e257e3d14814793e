@NullMarked
package io.ambo.node.addresses;

import org.jspecify.annotations.NullMarked;
