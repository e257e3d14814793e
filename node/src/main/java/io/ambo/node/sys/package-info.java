@NullMarked
package io.ambo.node.sys;

import org.jspecify.annotations.NullMarked;
