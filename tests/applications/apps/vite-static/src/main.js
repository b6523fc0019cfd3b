document.querySelector('#app').innerHTML = '<h1>ahoy</h1>'
