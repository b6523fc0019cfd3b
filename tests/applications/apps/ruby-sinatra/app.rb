require 'openssl'
require 'sinatra/base'

class Shop < Sinatra::Base
  set :environment, :production
  get('/') { "shop #{OpenSSL::Digest::SHA256.hexdigest('rope')[0, 8]}" }
end
