require './app'
run Shop
